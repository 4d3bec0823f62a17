from google.api_core.retry import Retry

DEFAULT_RETRY: Retry
