"""Everything that can go wrong, named by what happened.

    RunbooksError
    ├── SettingsError          a setting is missing, unreadable or contradictory
    ├── DefinitionError        a workflow definition cannot be read
    ├── WorkflowNotFound       no active workflow has that id
    ├── RunbookNotFound        the workflow has no runbook yet
    ├── ExecutionNotFound      no execution has that id
    ├── ExecutionNotFailed     the execution is there, but there is no failure to explain
    ├── CatalogueError         a file of the failure catalogue is wrong
    ├── DatabaseError          the database refused, is missing or not migrated
    │   ├── DatabaseUnreachable waiting may mend it
    │   │   └── DatabaseFull    its disk is full
    │   ├── SchemaOutdated
    │   └── MissingPrivilege
    ├── EmbeddedPostgresError  the embedded PostgreSQL could not be started
    ├── PolicyUnusable         a workspace's policy cannot be applied, so nothing is sent
    └── LLMError               the language model gave no usable answer
        ├── LLMUnavailable     nothing came back: transport, rate limit, outage
        │   └── BudgetReached  it is not asked, because what may be spent is spent
        └── LLMMisbehaved      an answer came back that cannot be used

A message names the thing and the next step in one line; the CLI prints it as it is.
"""


class RunbooksError(Exception):
    """Base of all errors of this package."""


class SettingsError(RunbooksError):
    """A setting is missing, unreadable or contradictory."""


class DefinitionError(RunbooksError):
    """A workflow definition cannot be read."""


class WorkflowNotFound(RunbooksError):
    """No active workflow has that id."""


class RunbookNotFound(RunbooksError):
    """The workflow has no runbook yet."""


class ExecutionNotFound(RunbooksError):
    """No execution has that id."""


class ExecutionNotFailed(RunbooksError):
    """The execution is there, but there is no failure to explain: it did not fail, or it is a replay."""


class CatalogueError(RunbooksError):
    """A file of the failure catalogue is wrong."""


class DatabaseError(RunbooksError):
    """The database refused, is missing or is not migrated."""


class DatabaseUnreachable(DatabaseError):
    """The database does not work for now: most often no connection could be made."""

    waited_for = False
    """Whether somebody waited for it already, in vain."""


class DatabaseFull(DatabaseUnreachable):
    """The database has no space left to store anything in."""


class SchemaOutdated(DatabaseError):
    """The tables that this version needs are not there: run `runbooks migrate`."""


class MissingPrivilege(DatabaseError):
    """The database user may not do what was asked."""


class EmbeddedPostgresError(RunbooksError):
    """The embedded PostgreSQL could not be started."""


class PolicyUnusable(RunbooksError):
    """A workspace's policy cannot be applied, so nothing is sent."""


class LLMError(RunbooksError):
    """The language model gave no usable answer."""


class LLMUnavailable(LLMError):
    """The language model could not be reached, or refused to work for now."""


class BudgetReached(LLMUnavailable):
    """The language model is not asked, because what may be spent is spent."""


class LLMMisbehaved(LLMError):
    """The language model answered something that cannot be used."""
