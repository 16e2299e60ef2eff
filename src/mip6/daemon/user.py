"""Who the daemon is once it is set up."""

import os
import pwd

from mip6.linux import privileges

from .configuration import Configuration
from .errors import ConfigurationError, SetupError
from .log import Log

OWN_USER = "mip6"
"""Unless the configuration names another; `make install` makes it."""


def own_user(configuration: Configuration) -> pwd.struct_passwd | None:
    """None if nobody is named and there is no `OWN_USER` on this machine.

    Raises ConfigurationError if there is nobody of the name that is asked for.
    """
    asked = configuration.user
    try:
        return pwd.getpwnam(asked or OWN_USER)
    except KeyError:
        if asked is None:
            return None
        what = f"{configuration.where('user')}: there is no user {asked}"
        raise ConfigurationError([what]) from None


def become(configuration: Configuration, log: Log) -> None:
    """From root to that user, with the capabilities that the set-up needs.

    Without `OWN_USER` root's process stays root's, and says so: a stranger's user would
    share what is this daemon's with whatever else is that stranger's.  Raises
    SetupError, and ConfigurationError as `own_user` does.
    """
    user = own_user(configuration)
    if user is None:
        if os.geteuid() == 0:
            log.line("warning", "user", name="root", why=f"no user {OWN_USER} here")
    elif os.geteuid() == 0:
        try:
            privileges.become(user)
        except OSError as error:
            raise SetupError(f"become the user {user.pw_name}: {error}") from error
    elif configuration.user is not None and user.pw_uid != os.geteuid():
        raise SetupError(f"only root can start it as the user {user.pw_name}")
