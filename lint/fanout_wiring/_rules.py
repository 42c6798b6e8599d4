"""The wiring rules, for cfn-lint."""

from fanout_wiring._alarms import AlarmThatTheTopicRefuses, AlarmWithoutAction
from fanout_wiring._consumption import (
    FewAttempts,
    LargeBatchWithoutWindow,
    NoPartialBatchResponse,
    NoRoomForThrottling,
    ShortVisibilityTimeout,
)
from fanout_wiring._dead_letters import DeadLettersKeptTooShort, DeadLettersWithoutAlarm
from fanout_wiring._delivery import QueuePolicyOfAnotherTopic, SubscriptionWithoutRedrive
from fanout_wiring._fifo import FifoMismatch, FifoQueueWithoutName
from fanout_wiring._filters import FilterOnNothing, FilterThatSnsRefuses
from fanout_wiring._permissions import PublisherWithoutKey, WildcardResource
from fanout_wiring._queue_policies import QueuePolicyOfTwoQueues
from fanout_wiring._resolution import ExternalResource, Unresolved
from fanout_wiring._rule import WiringRule
from fanout_wiring._suppressions import SuppressionWithoutReason
from fanout_wiring._versions import UnpublishedChange

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
    AlarmWithoutAction,
    AlarmThatTheTopicRefuses,
    PublisherWithoutKey,
    WildcardResource,
    FifoMismatch,
    FilterOnNothing,
    SuppressionWithoutReason,
    ExternalResource,
    QueuePolicyOfTwoQueues,
    FifoQueueWithoutName,
    UnpublishedChange,
    FilterThatSnsRefuses,
    LargeBatchWithoutWindow,
)
