"""@flow: arguments become parameters, the body is traced once."""

import datetime as dt

from flowbook import DateTimeParameter, Flow, Secret, context, flow, tags, task
from flowbook.core.function_flow import FunctionFlow


@task
def add(x, y):
    return x + y


def test_the_arguments_become_parameters_and_the_body_is_run_once():
    traced = []

    @flow
    def sums(x, y=2):
        """Adds."""
        traced.append(1)
        add(x, y)

    results = [each.result for each in sums(1).result.values()], [each.result for each in sums(5, y=6).result.values()]

    assert isinstance(sums, FunctionFlow)
    assert (sums.name, sums.__doc__, [p.required for p in sums.parameters()]) == ("sums", "Adds.", [True, False])
    assert results == ([1, 2, 3], [5, 6, 11])
    assert traced == [1]


def test_a_flow_that_calls_no_task_runs():
    @flow
    def my_flow():
        pass

    state = my_flow()

    assert state.is_successful()
    assert state.result == {}


def test_options_are_those_of_flow():
    seen = []

    @flow(name="named", state_handlers=[lambda f, _, new: seen.append((f.name, type(new).__name__))])
    def my_flow():
        add(1, 2)

    my_flow()

    assert seen == [("named", "Running"), ("named", "Success")]


def test_a_datetime_parameter_takes_text_dates_and_moments_and_gives_utc():
    @task
    def show(x):
        return x

    with Flow("moments") as moments:
        end = show(DateTimeParameter("at"))
    zone = dt.timezone(dt.timedelta(hours=2))
    given = ["2024-02-29T12:00+02:00", dt.datetime(2024, 2, 29, 12, tzinfo=zone)]

    results = [moments.run(at=each).result[end].result for each in given]

    assert results == [dt.datetime(2024, 2, 29, 10, tzinfo=dt.UTC)] * 2
    assert all(each.tzinfo is dt.UTC for each in results)
    assert moments.run(at=dt.date(2024, 2, 29)).result[end].result == dt.datetime(2024, 2, 29).astimezone(dt.UTC)


def test_tags_are_added_to_what_is_written_inside_and_to_nothing_else():
    with Flow("tagged") as tagged:
        before = add(1, 2)
        with tags("db"):
            with tags("slow"):
                both = add(1, 2)
            one = add(1, 2)
            made = task(lambda: 1, name="made", tags=["own"])
        after = add(1, 2)

    found = [sorted(each.tags) for each in (before, both, one, made, after)]

    assert found == [[], ["db", "slow"], ["db"], ["db", "own"], []]
    assert tagged.get_tasks(tags=["db"]) == [both, one]


def test_a_secret_is_looked_up_where_it_is_asked_for_and_never_shown(monkeypatch):
    @task
    def login(password):
        return len(password.get())

    with Flow("login") as flow:
        end = login(Secret("db-password"))
    monkeypatch.setenv("FLOWBOOK_SECRET_DB_PASSWORD", "abc")

    from_environment = flow.run().result[end].result
    with context(secrets={"db-password": "abcdef"}):
        from_context = flow.run().result[end].result

    assert (from_environment, from_context) == (3, 6)
    assert repr(Secret("db-password")) == "Secret('db-password')"


def test_a_secret_that_is_nowhere_says_where_to_put_it(monkeypatch):
    monkeypatch.delenv("FLOWBOOK_SECRET_A", raising=False)
    login = task(lambda: Secret("a").get(), name="login")
    with Flow("login") as flow:
        end = login()

    state = flow.run()

    assert state.result[end].message == (
        "MissingSecretError: No secret 'a' here. Set the environment variable FLOWBOOK_SECRET_A, "
        "or run inside `with flowbook.context(secrets={'a': ...})`."
    )
