"""Patches for faults of ministack 1.5.33 that affect its applications: one module per fault.

Each module says symptom, cause, what the patch does and when it can go, and has an `apply()`. The
tests in engine_tests show the right behaviour on the patched engine and, on an unpatched one, that
upstream still has the fault: when that second test fails, delete the patch.
"""

from local_engine.compat import (
    alarm_notifications,
    alarm_queries,
    alarms,
    async_invocations,
    athena_tables,
    athena_views,
    binary_attributes,
    bucket_properties,
    change_sets,
    clean_boot,
    clean_stop,
    code_cache,
    dead_letter_sources,
    deleted_functions,
    embedded_metrics,
    error_types,
    execution_roles,
    firehose_buffers,
    function_properties,
    get_template_urls,
    interrupted_executions,
    layer_arns,
    log_patterns,
    log_subscriptions,
    mail_events,
    mail_outbox,
    mail_permissions,
    mapping_properties,
    message_moves,
    message_outbox,
    nested_stacks,
    parameter_names,
    publish_batch,
    queue_locking,
    queue_mappings,
    queue_metrics,
    rules,
    schedules,
    sns_filters,
    sns_to_firehose,
    sns_to_lambda,
    sns_to_sqs,
    stopped_executions,
    stream_mappings,
    table_properties,
    topic_properties,
    traces,
    worker_output,
)

_PATCHES = (
    nested_stacks,
    change_sets,
    get_template_urls,
    layer_arns,
    topic_properties,
    table_properties,
    bucket_properties,
    parameter_names,
    function_properties,
    deleted_functions,
    message_moves,
    dead_letter_sources,
    queue_locking,  # after every module that adds an action of queues
    mapping_properties,
    queue_mappings,
    queue_metrics,
    stream_mappings,  # after queue_mappings, which decides when mappings may be polled
    sns_filters,
    binary_attributes,
    sns_to_sqs,
    sns_to_lambda,
    sns_to_firehose,
    publish_batch,
    message_outbox,
    async_invocations,
    rules,
    schedules,  # after `rules`, which leaves schedules alone
    execution_roles,
    stopped_executions,
    interrupted_executions,
    error_types,
    worker_output,
    traces,
    code_cache,
    log_patterns,
    log_subscriptions,
    embedded_metrics,
    alarm_queries,
    alarm_notifications,  # before `alarms`, which checks the policies of the topics first
    alarms,
    mail_events,
    mail_outbox,
    mail_permissions,
    firehose_buffers,
    athena_tables,
    athena_views,
    clean_boot,
    clean_stop,
)


def apply() -> None:
    """Apply every patch, before the first request."""
    for patch in _PATCHES:
        patch.apply()
