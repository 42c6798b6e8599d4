"""What each function needs, written down apart from the templates: all else must be refused.

Read from the handlers, not from the policies: a test that took its expectation from the policy it tests would find any
policy right. A function's own inbox, and the claim checks that a subscriber reads, are the same for all: see `of`.
"""

from collections.abc import Iterator

# {role: {resource: actions}}. Paths are logical ids from the root template downwards. S3: `bucket:prefix`.
NEEDS: dict[str, dict[str, str]] = {
    "TeamEvents/TeamARole": {"TeamEvents/FeedTable": "PutItem"},
    "TeamEvents/TeamBRole": {"TeamEvents/FeedTable": "PutItem"},
    "TeamEvents/BroadcastRole": {"TeamEvents/FeedTable": "PutItem"},
    "UserRegistration/NotifyServiceRole": {
        "UserRegistration/MailTable": "GetItem PutItem UpdateItem",
        "UserRegistration/EmailHashKey": "GetSecretValue",
    },
    "UserRegistration/AnalyticsServiceRole": {
        "UserRegistration/AnalyticsTable": "PutItem UpdateItem",
        "UserRegistration/EmailHashKey": "GetSecretValue",
    },
    "UserRegistration/MailFeedbackRole": {
        "UserRegistration/MailTable": "PutItem UpdateItem",
        "UserRegistration/EmailHashKey": "GetSecretValue",
    },
    "UserInteractions/LikesRole": {"UserInteractions/InteractionsTable": "GetItem PutItem UpdateItem"},
    "UserInteractions/SharesRole": {"UserInteractions/InteractionsTable": "PutItem UpdateItem"},
    "UserInteractions/CommentsRole": {"UserInteractions/InteractionsTable": "PutItem UpdateItem"},
    "UserInteractions/PostsRole": {"UserInteractions/InteractionsTable": "GetItem Query"},
    "UserInteractions/ReviewRole": {
        "UserInteractions/InteractionsTable": "DeleteItem GetItem PutItem Query UpdateItem"
    },
    "ApplicationLogs/MonitorRole": {
        "ApplicationLogs/MonitorTable": "GetItem PutItem UpdateItem",
        "SystemAlerts/SystemAlerts": "Publish",
    },
    "ApplicationLogs/ArchiveRole": {"ApplicationLogs/ArchiveBucket:logs": "PutObject"},
    "ApplicationLogs/IngestRole": {
        "ApplicationLogs/ApplicationLogs": "Publish",
        "ApplicationLogs/IngestFailures": "SendMessage",
        "ClaimChecks/Bucket:application_logs": "PutObject",
    },
    "OrderWorkflow/PaymentRole": {
        "OrderWorkflow/PaymentTable": "GetItem PutItem",
        "OrderWorkflow/NewOrder": "Publish",
        "ClaimChecks/Bucket:order_workflow": "PutObject",
    },
    "OrderWorkflow/InventoryRole": {
        "OrderWorkflow/StockTable": "GetItem PutItem UpdateItem",
        "OrderWorkflow/NewOrder": "Publish",
        "ClaimChecks/Bucket:order_workflow": "PutObject",
    },
    "OrderWorkflow/WorkflowRole": {
        "OrderWorkflow/OrderTable": "GetItem PutItem",
        "OrderWorkflow/NewOrder": "Publish",
        "ClaimChecks/Bucket:order_workflow": "PutObject",
    },
    "OrderWorkflow/DeadlinesRole": {
        "OrderWorkflow/OrderTable": "GetItem PutItem",  # and Query of its index `due`
        "OrderWorkflow/NewOrder": "Publish",
        "ClaimChecks/Bucket:order_workflow": "PutObject",
    },
    "OrderWorkflow/NotificationRole": {"OrderWorkflow/NotificationTable": "GetItem PutItem UpdateItem"},
    "DatabaseChanges/CaptureRole": {
        "DatabaseChanges/DatabaseChanges": "Publish",
        "DatabaseChanges/UnpublishedBucket:changes": "PutObject",
        "DatabaseChanges/UnpublishedBucket:aws/lambda": "PutObject",
        "ClaimChecks/Bucket:database_changes": "PutObject",
    },
    "DatabaseChanges/ReplicateToDynamodbRole": {"DatabaseChanges/ReplicaTable": "PutItem"},
    "DatabaseChanges/ReplicateToSqlRole": {"DatabaseChanges/SqlSecret": "GetSecretValue"},
    "OrderProcessing/PaymentRole": {"OrderProcessing/PaymentTable": "GetItem PutItem UpdateItem"},
    "OrderProcessing/ShippingRole": {"OrderProcessing/LabelTable": "GetItem PutItem"},
    "OrderProcessing/CustomerNotificationRole": {"OrderProcessing/NotificationTable": "GetItem PutItem UpdateItem"},
    "DataAggregation/WebRole": {"DataAggregation/AggregatesTable": "PutItem UpdateItem"},
    "DataAggregation/MobileRole": {"DataAggregation/AggregatesTable": "PutItem UpdateItem"},
    "DataAggregation/StoreRole": {"DataAggregation/AggregatesTable": "PutItem UpdateItem"},
    # Firehose hands it the events; no inbox, but claim checks.
    "DataAggregation/LakeRole": {"ClaimChecks/Bucket:data_aggregation": "GetObject"},
    "SystemAlerts/DispatchRole": {
        "SystemAlerts/AlertTable": "GetItem PutItem Query UpdateItem",
        "SystemAlerts/AlertNotifications": "Publish",
    },
    "SystemAlerts/ChatRole": {
        "SystemAlerts/ChannelTable": "GetItem PutItem UpdateItem",
        "SystemAlerts/ChatWebhook": "GetSecretValue",
    },
    "SystemAlerts/PagerRole": {
        "SystemAlerts/ChannelTable": "GetItem PutItem",
        "SystemAlerts/PagerWebhook": "GetSecretValue",
    },
    "BatchJobs/StartJobRole": {
        "BatchJobs/JobTable": "GetItem PutItem UpdateItem",
        "BatchJobs/JobOutcomes": "Publish",
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
        "BatchJobs/JobOutcomes": "Publish",
    },
    "AuditLogs/RecordRole": {"AuditLogs/AuditTable": "GetItem PutItem"},
    "AuditLogs/PreserveRole": {"AuditLogs/TrailBucket:documents": "GetObject PutObject"},
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
    inbox = role.removesuffix("Role") + "Inbox"
    if f"{inbox}/Queue" in deployed:
        for action in ("ReceiveMessage", "DeleteMessage", "SendMessage"):
            yield f"{inbox}/Queue", action
        yield f"{inbox}/DeadLetterQueue", "SendMessage"
        yield f"ClaimChecks/Bucket:{use_case(role)}", "GetObject"
    if f"{inbox}/AttemptsTable" in deployed:
        for action in ("DeleteItem", "UpdateItem"):
            yield f"{inbox}/AttemptsTable", action
