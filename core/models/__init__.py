"""One file a table: its columns and the questions that are asked of it. Models know no services and never commit."""

from core.models.article import Article, ArticleText
from core.models.article_key import ArticleKey
from core.models.attempt import Attempt
from core.models.audit import AuditEntry
from core.models.book import Book
from core.models.confirmation import Confirmation
from core.models.delivered_story import DeliveredStory
from core.models.derived import Derived
from core.models.device import Device
from core.models.digest import Digest
from core.models.doomed_blob import DoomedBlob
from core.models.feed import Feed
from core.models.feed_host import FeedHost
from core.models.feedback import Feedback
from core.models.forwarded import Forwarded
from core.models.imap_folder import ImapFolder
from core.models.inbound import Inbound
from core.models.issue import DigestIssue, IssueStory
from core.models.listing import Listing
from core.models.newsletter import Newsletter
from core.models.outbox import OutboxMail
from core.models.pace import Pace
from core.models.read_later import ReadLater
from core.models.reply_context import ReplyContext
from core.models.sending_stop import SendingStop
from core.models.share import FeedShare, Share
from core.models.shelf import Shelf
from core.models.spelling import Spelling
from core.models.subscription import Subscription
from core.models.tag import Tag
from core.models.takeout import Takeout
from core.models.thumbnail import Thumbnail
from core.models.user import User

__all__ = [
    "Article",
    "ArticleKey",
    "ArticleText",
    "Attempt",
    "AuditEntry",
    "Book",
    "Confirmation",
    "DeliveredStory",
    "Derived",
    "Device",
    "Digest",
    "DigestIssue",
    "DoomedBlob",
    "Feed",
    "FeedHost",
    "FeedShare",
    "Feedback",
    "Forwarded",
    "ImapFolder",
    "Inbound",
    "IssueStory",
    "Listing",
    "Newsletter",
    "OutboxMail",
    "Pace",
    "ReadLater",
    "ReplyContext",
    "SendingStop",
    "Share",
    "Shelf",
    "Spelling",
    "Subscription",
    "Tag",
    "Takeout",
    "Thumbnail",
    "User",
]
