"""What each function needs, written down apart from the templates: all else must be refused.

Read from the handlers, not from the policies: a test that took its expectation from the policy it tests would find any
policy right. A function's own queue, and the claim checks that a subscriber reads, are the same for all: see `of`.
"""

from collections.abc import Iterator

# {role: {resource: actions}}. Paths are logical ids from the root template downwards. S3: `bucket:prefix`.
NEEDS: dict[str, dict[str, str]] = {
    "TeamEvents/TeamASubscriber/Role": {"TeamEvents/FeedTable": "PutItem"},
    "TeamEvents/TeamBSubscriber/Role": {"TeamEvents/FeedTable": "PutItem"},
    "TeamEvents/BroadcastSubscriber/Role": {"TeamEvents/FeedTable": "PutItem"},
    "UserRegistration/NotifyServiceSubscriber/Role": {
        "UserRegistration/MailTable": "GetItem PutItem UpdateItem",
        "UserRegistration/EmailHashKey": "GetSecretValue",
    },
    "UserRegistration/AnalyticsServiceSubscriber/Role": {
        "UserRegistration/AnalyticsTable": "PutItem UpdateItem",
        "UserRegistration/EmailHashKey": "GetSecretValue",
    },
    "UserRegistration/MailFeedbackSubscriber/Role": {
        "UserRegistration/MailTable": "PutItem UpdateItem",
        "UserRegistration/EmailHashKey": "GetSecretValue",
    },
    "UserInteractions/LikesSubscriber/Role": {"UserInteractions/InteractionsTable": "GetItem PutItem UpdateItem"},
    "UserInteractions/SharesSubscriber/Role": {"UserInteractions/InteractionsTable": "PutItem UpdateItem"},
    "UserInteractions/CommentsSubscriber/Role": {"UserInteractions/InteractionsTable": "PutItem UpdateItem"},
    "UserInteractions/PostsRole": {"UserInteractions/InteractionsTable": "GetItem Query"},
    "UserInteractions/ReviewRole": {
        "UserInteractions/InteractionsTable": "DeleteItem GetItem PutItem Query UpdateItem"
    },
    "ApplicationLogs/MonitorSubscriber/Role": {
        "ApplicationLogs/MonitorTable": "GetItem PutItem UpdateItem",
        "SystemAlerts/SystemAlerts/Topic": "Publish",
    },
    "ApplicationLogs/ArchiveSubscriber/Role": {"ApplicationLogs/ArchiveBucket:logs": "PutObject"},
    "ApplicationLogs/IngestRole": {
        "ApplicationLogs/ApplicationLogs/Topic": "Publish",
        "ApplicationLogs/IngestFailures/Queue": "SendMessage",
        "ClaimChecks/Bucket:application_logs": "PutObject",
    },
    "OrderWorkflow/PaymentSubscriber/Role": {
        "OrderWorkflow/PaymentTable": "GetItem PutItem",
        "OrderWorkflow/NewOrder/Topic": "Publish",
        "ClaimChecks/Bucket:order_workflow": "PutObject",
    },
    "OrderWorkflow/InventorySubscriber/Role": {
        "OrderWorkflow/StockTable": "GetItem PutItem UpdateItem",
        "OrderWorkflow/NewOrder/Topic": "Publish",
        "ClaimChecks/Bucket:order_workflow": "PutObject",
    },
    "OrderWorkflow/WorkflowSubscriber/Role": {
        "OrderWorkflow/OrderTable": "GetItem PutItem",
        "OrderWorkflow/NewOrder/Topic": "Publish",
        "ClaimChecks/Bucket:order_workflow": "PutObject",
    },
    "OrderWorkflow/DeadlinesRole": {
        "OrderWorkflow/OrderTable": "GetItem PutItem",  # and Query of its index `due`
        "OrderWorkflow/NewOrder/Topic": "Publish",
        "ClaimChecks/Bucket:order_workflow": "PutObject",
    },
    "OrderWorkflow/NotificationSubscriber/Role": {"OrderWorkflow/NotificationTable": "GetItem PutItem UpdateItem"},
    "DatabaseChanges/CaptureRole": {
        "DatabaseChanges/DatabaseChanges/Topic": "Publish",
        "DatabaseChanges/UnpublishedBucket:changes": "PutObject",
        "DatabaseChanges/UnpublishedBucket:aws/lambda": "PutObject",
        "ClaimChecks/Bucket:database_changes": "PutObject",
    },
    "DatabaseChanges/ReplicateToDynamodbSubscriber/Role": {"DatabaseChanges/ReplicaTable": "PutItem"},
    "DatabaseChanges/ReplicateToSqlSubscriber/Role": {"DatabaseChanges/SqlSecret": "GetSecretValue"},
    "OrderProcessing/PaymentSubscriber/Role": {"OrderProcessing/PaymentTable": "GetItem PutItem UpdateItem"},
    "OrderProcessing/ShippingSubscriber/Role": {"OrderProcessing/LabelTable": "GetItem PutItem"},
    "OrderProcessing/CustomerNotificationSubscriber/Role": {
        "OrderProcessing/NotificationTable": "GetItem PutItem UpdateItem"
    },
    "DataAggregation/WebSubscriber/Role": {"DataAggregation/AggregatesTable": "PutItem UpdateItem"},
    "DataAggregation/MobileSubscriber/Role": {"DataAggregation/AggregatesTable": "PutItem UpdateItem"},
    "DataAggregation/StoreSubscriber/Role": {"DataAggregation/AggregatesTable": "PutItem UpdateItem"},
    # Firehose hands it the events; no queue, but claim checks.
    "DataAggregation/LakeRole": {"ClaimChecks/Bucket:data_aggregation": "GetObject"},
    "SystemAlerts/DispatchSubscriber/Role": {
        "SystemAlerts/AlertTable": "GetItem PutItem Query UpdateItem",
        "SystemAlerts/AlertNotifications/Topic": "Publish",
    },
    "SystemAlerts/ChatSubscriber/Role": {
        "SystemAlerts/ChannelTable": "GetItem PutItem UpdateItem",
        "SystemAlerts/ChatWebhook": "GetSecretValue",
    },
    "SystemAlerts/PagerSubscriber/Role": {
        "SystemAlerts/ChannelTable": "GetItem PutItem",
        "SystemAlerts/PagerWebhook": "GetSecretValue",
    },
    "BatchJobs/StartJobSubscriber/Role": {
        "BatchJobs/JobTable": "GetItem PutItem UpdateItem",
        "BatchJobs/JobOutcomes/Topic": "Publish",
        "BatchJobs/JobMachine": "StartExecution",
    },
    "BatchJobs/PlanJobRole": {
        "BatchJobs/JobTable": "GetItem UpdateItem",
        "BatchJobs/JobBucket:inputs": "GetObject",
        "BatchJobs/JobBucket:work": "PutObject",
    },
    "BatchJobs/ProcessChunkRole": {
        "BatchJobs/JobTable": "GetItem PutItem UpdateItem",
        "BatchJobs/ImportTable": "Query",  # and BatchWriteItem
        "BatchJobs/JobBucket:inputs": "GetObject",
        "BatchJobs/JobBucket:work": "PutObject",
    },
    "BatchJobs/FinishJobRole": {
        "BatchJobs/JobTable": "GetItem Query UpdateItem",
        "BatchJobs/ImportTable": "PutItem",
        "BatchJobs/JobBucket:work": "GetObject",
        "BatchJobs/JobBucket:results": "PutObject",
        "BatchJobs/JobOutcomes/Topic": "Publish",
    },
    "AuditLogs/RecordSubscriber/Role": {"AuditLogs/AuditTable": "GetItem PutItem"},
    "AuditLogs/PreserveSubscriber/Role": {"AuditLogs/TrailBucket:documents": "GetObject PutObject"},
}


def use_case(path: str) -> str:
    """`TeamEvents/FeedTable` -> team_events."""
    name = path.partition("/")[0]
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def of(role: str, deployed: set[str]) -> Iterator[tuple[str, str]]:
    """Everything a role may do, as (resource, action). deployed: the paths of all resources."""
    for resource, actions in NEEDS[role].items():
        for action in actions.split():
            yield resource, action
    subscriber = role.removesuffix("/Role")
    if f"{subscriber}/Queue" in deployed:
        for action in ("ReceiveMessage", "DeleteMessage", "SendMessage"):
            yield f"{subscriber}/Queue", action
        yield f"{subscriber}/DeadLetterQueue", "SendMessage"
        yield f"ClaimChecks/Bucket:{use_case(role)}", "GetObject"
    if f"{subscriber}/AttemptsTable" in deployed:
        for action in ("DeleteItem", "UpdateItem"):
            yield f"{subscriber}/AttemptsTable", action
