"""An integration: a node that calls something outside the platform."""

from enum import StrEnum

from pydantic import Field

from runbooks.core.failure_classes import Severity
from runbooks.core.workflow import Frozen


class IntegrationKind(StrEnum):
    """What sort of thing is at the other end; failure knowledge is kept by kind."""

    HTTP_API = "http_api"
    PAYMENTS = "payments"
    COMMERCE = "commerce"
    CRM = "crm"
    MARKETING = "marketing"
    MESSAGING = "messaging"
    EMAIL = "email"
    DATABASE = "database"
    VECTOR_STORE = "vector_store"
    STORAGE = "storage"
    SPREADSHEET = "spreadsheet"
    PRODUCTIVITY = "productivity"
    DEVELOPER = "developer"
    AI_MODEL = "ai_model"
    SEARCH = "search"
    QUEUE = "queue"
    FILE_TRANSFER = "file_transfer"
    REMOTE_SHELL = "remote_shell"
    FEED = "feed"
    SOCIAL = "social"
    ANALYTICS = "analytics"
    OTHER = "other"


class Authentication(StrEnum):
    """How the node proves who it is, as far as the definition tells."""

    NONE = "none"
    API_KEY = "api_key"
    TOKEN = "token"  # noqa: S105 - a word, not a password
    OAUTH2 = "oauth2"
    BASIC = "basic"
    CONNECTION_STRING = "connection_string"
    SIGNATURE = "signature"
    UNKNOWN = "unknown"


class Integration(Frozen):
    """What one external node calls, how, and how bad its failure is. Holds no secret."""

    node_key: str
    node_label: str
    node_type: str
    service: str
    """Human name of who is at the other end: `Stripe API`, `internal service 10.0.0.5`."""
    service_id: str
    """Stable slug of the service for catalogue look-ups: `stripe`, `google_sheets`, `http`."""
    kind: IntegrationKind
    direction: str = "outbound"
    """`outbound` for a call, `inbound` for a trigger that polls or subscribes."""
    operation: str = ""
    """What is asked of the service: `POST /v1/charges`, `message.post`, `query`; may be empty."""
    access: str = "unknown"
    """`read`, `write` or `unknown`: whether a call can change something at the other end."""
    method: str | None = None
    """HTTP method, for HTTP calls."""
    host: str | None = None
    """Host that is called, where it can be known."""
    host_note: str | None = None
    """Why the host cannot be known, or what is special about it (built from an expression, …)."""
    authentication: Authentication = Authentication.UNKNOWN
    credential: str | None = None
    """Name of the credential in the platform; never its value."""
    inline_secret: bool = False
    """A secret stands in the node's own settings instead of in a credential."""
    timeout_s: float | None = None
    """Seconds after which the node gives up; None when nothing says."""
    max_attempts: int = 1
    continue_on_error: bool = False
    upstream: tuple[str, ...] = Field(default=())
    """Keys of the nodes that run before it, nearest first."""
    downstream: tuple[str, ...] = Field(default=())
    """Keys of the nodes that do not run when it fails, nearest first; where it continues on error, they run without its
    result."""
    error_branch: tuple[str, ...] = Field(default=())
    """Keys of the nodes that run because it failed, nearest first."""
    repeats: tuple[str, ...] = Field(default=())
    """Keys of integrations and sub-workflow calls that a re-run would make act again, itself first, nearest first."""
    criticality: Severity = Severity.MEDIUM
    """How bad it is when this node fails, from the graph and what it does."""
