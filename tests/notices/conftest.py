from tests.homes import home
from tests.notices.servers import mail, webhook

__all__ = ["home", "mail", "webhook"]
