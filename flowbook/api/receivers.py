"""`/api/receivers`: who is told of all runs. Secrets of URLs are never shown."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from flowbook.api import wire
from flowbook.api.answers import PROBLEMS, StoreHere, answer
from flowbook.api.problems import problem
from flowbook.exceptions import DefinitionError
from flowbook.notices.receiver import read_receivers, store_receivers

if TYPE_CHECKING:
    from flowbook.store.records import ReceiverRow

__all__ = ["router"]

router = APIRouter(prefix="/api/receivers", tags=["receivers"], responses=PROBLEMS)


@router.get("", response_model=wire.ReceiverList)
def list_receivers(store: StoreHere) -> Response:
    """List who is told of all runs."""
    return answer(wire.ReceiverList(receivers=[_line(each) for each in store.notices.receivers()]))


@router.post("", response_model=wire.Receiver, status_code=HTTPStatus.CREATED)
def add(store: StoreHere, new: wire.NewReceiver) -> Response:
    """Tell a URL of all runs from now on."""
    if "://" not in new.to:
        msg = "to is no URL. Give one of apprise, e.g. mailto://ana:PASSWORD@example.com; a command is added on its machine."
        raise DefinitionError(msg, field="to")
    (receiver,) = read_receivers("/api/receivers", {"to": new.to, "on": list(new.on)})
    number = store.notices.add_receiver(store_receivers([receiver], store.values).rows[0])
    return answer(next(_line(each) for each in store.notices.receivers() if each.id == number), HTTPStatus.CREATED)


@router.delete("/{number}", response_model=wire.Receiver)
def remove(store: StoreHere, number: int) -> Response:
    """Tell somebody no more."""
    found = next((each for each in store.notices.receivers() if each.id == number), None)
    if found is None:
        return problem(
            HTTPStatus.NOT_FOUND, f"There is no receiver {number}. /api/receivers lists them.", field="number"
        )
    store.notices.remove_receiver(found.id)
    return answer(_line(found))


def _line(row: ReceiverRow) -> wire.Receiver:
    return wire.Receiver(id=row.id, to=row.shown, on=list(row.causes), added=row.created)
