"""The wiring rules, for cfn-lint. Its files begin with an underscore so that cfn-lint does not take them for rules."""

from fanout_wiring._alarms import AlarmThatNobodyHears, AlarmThatTheTopicRefuses
from fanout_wiring._composition import Composition
from fanout_wiring._consumption import FewAttempts, NoPartialBatchResponse, NoRoomForThrottling, ShortVisibilityTimeout
from fanout_wiring._dead_letters import DeadLettersKeptTooShort, DeadLettersWithoutAlarm
from fanout_wiring._delivery import QueuePolicyOfAnotherTopic, SubscriptionWithoutRedrive
from fanout_wiring._fifo import FifoMismatch, FifoQueueWithoutName
from fanout_wiring._filters import FilterOnNothing, FilterThatSnsRefuses
from fanout_wiring._graph import Graph, Mapping
from fanout_wiring._intrinsics import UNRESOLVED
from fanout_wiring._loading import UnreadableTemplateError, load
from fanout_wiring._metrics import metrics
from fanout_wiring._parameters import OPEN
from fanout_wiring._permissions import PublisherWithoutKey, WildcardResource
from fanout_wiring._queue_policies import QueuePolicyOfTwoQueues
from fanout_wiring._resolution import Outside, Unresolved
from fanout_wiring._rule import WiringRule
from fanout_wiring._stack import FUNCTION, Problem, Resource, Stack, random_suffix
from fanout_wiring._suppressions import SuppressionWithoutReason
from fanout_wiring._versions import UnpublishedChange

__all__ = [
    "FUNCTION",
    "OPEN",
    "RULES",
    "UNRESOLVED",
    "Composition",
    "Graph",
    "Mapping",
    "Problem",
    "Resource",
    "Stack",
    "UnreadableTemplateError",
    "WiringRule",
    "load",
    "metrics",
    "random_suffix",
]

RULES: tuple[type[WiringRule], ...] = (
    Unresolved,
    SubscriptionWithoutRedrive,
    QueuePolicyOfAnotherTopic,
    ShortVisibilityTimeout,
    NoPartialBatchResponse,
    NoRoomForThrottling,
    FewAttempts,
    DeadLettersWithoutAlarm,
    DeadLettersKeptTooShort,
    AlarmThatNobodyHears,
    AlarmThatTheTopicRefuses,
    PublisherWithoutKey,
    WildcardResource,
    FifoMismatch,
    FilterOnNothing,
    SuppressionWithoutReason,
    Outside,
    QueuePolicyOfTwoQueues,
    FifoQueueWithoutName,
    UnpublishedChange,
    FilterThatSnsRefuses,
)
