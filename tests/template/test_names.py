"""Descriptions and names."""

from fanout_wiring import FUNCTION, Composition, Resource
from tests.template.application import ROOT
from tests.template.deployments import QUEUE, TABLE, TOPIC, Mistake, properties

SUBSCRIBER = ROOT / "platform" / "subscriber.yaml"
TOPIC_STACK = ROOT / "platform" / "topic.yaml"
TEAM_EVENTS = ROOT / "usecases" / "team_events" / "template.yaml"
ORDERS = ROOT / "usecases" / "order_workflow" / "template.yaml"

# Their generated names end up longer than the service takes: CloudFormation puts the stack's name, the logical id and
# thirteen characters in a row.
TOO_LONG_IF_GENERATED = {
    "AWS::Events::Rule": ("Name", 64),
    "AWS::KinesisFirehose::DeliveryStream": ("DeliveryStreamName", 64),
    "AWS::SES::ConfigurationSet": ("Name", 64),
    "AWS::Scheduler::Schedule": ("Name", 64),
}

# The longest name of a root stack that the application promises to work with, and the characters that CloudFormation
# adds behind each logical id: a hyphen and, in the longest form seen, thirteen letters and digits.
STACK_NAME = 40

RANDOM = 14

LIMITS = {
    QUEUE: ("QueueName", 80),
    TOPIC: ("TopicName", 256),
    "AWS::Athena::WorkGroup": ("Name", 128),
    **TOO_LONG_IF_GENERATED,
}


def _stack_id(resource: Resource) -> str:
    """The unique part of the id of a resource's stack."""
    return str(resource.stack.ref("AWS::StackId")).rpartition("/")[2]


def test_everything_a_person_sets_or_reads_is_described(deployment: Composition) -> None:
    """Parameters and outputs."""
    problems = []
    for stack in deployment.root.stacks():
        for section in ("Parameters", "Outputs"):
            for name, about in stack.template.get(section, {}).items():
                if not about.get("Description"):
                    problems.append(f"{stack.path or 'root'}: {section} {name} has no description")
    assert problems == []


def test_only_resources_that_need_a_physical_name_have_one(deployment: Composition) -> None:
    """So that two deployments fit in one account. Where AWS forces one, the stack's id makes it unique."""
    problems = []
    names = ("FunctionName", "TableName", "BucketName", "TopicName", "QueueName", "RoleName", "LogGroupName", "Name")
    kinds = (FUNCTION, TABLE, "AWS::S3::Bucket", TOPIC, QUEUE, "AWS::IAM::Role", "AWS::Logs::LogGroup")
    for resource in deployment.of(*kinds):
        given = [name for name in names if name in resource.properties]
        forced = resource.stack.file.name == "subscriber.yaml" or resource.properties.get("FifoTopic") is True
        if given and not (forced and _stack_id(resource) in resource.properties[given[0]]):
            problems.append(f"{resource.path}: {given[0]} is given")
    for resource in deployment.of(*TOO_LONG_IF_GENERATED):
        name, _ = TOO_LONG_IF_GENERATED[resource.type]
        if _stack_id(resource) not in resource.properties.get(name, ""):
            problems.append(f"{resource.path}: give it a {name} with the stack's id in it")
    assert problems == []


def test_every_name_fits(deployment: Composition) -> None:
    """Of nested stacks (128 characters), with a root of forty, and of all that has a name of ours.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    """
    problems = []
    for stack in deployment.root.stacks():
        length = STACK_NAME + sum(1 + len(part) + RANDOM for part in stack.path.split("/") if part)
        if length > 128:
            problems.append(f"{stack.path}: with a root stack of {STACK_NAME} characters its name has {length}")
    for resource in deployment.of(*LIMITS):
        name, limit = LIMITS[resource.type]
        length = len(str(resource.properties.get(name, "")))
        if length > limit:
            problems.append(f"{resource.path}: its {name} has {length} characters, not {limit}")
    assert problems == []


# ------------------------------------------------------------------------------------------------------------- mistakes


MISTAKES: list[Mistake] = [
    (
        test_only_resources_that_need_a_physical_name_have_one,
        TOPIC_STACK,
        lambda t: properties(t, "Topic").update(TopicName="audit.fifo"),
    ),
    (
        test_everything_a_person_sets_or_reads_is_described,
        SUBSCRIBER,
        lambda t: t["Parameters"]["Fifo"].pop("Description"),
    ),
    (
        test_only_resources_that_need_a_physical_name_have_one,
        TEAM_EVENTS,
        lambda t: properties(t, "FeedTable").update(TableName="feeds"),
    ),
    (
        test_only_resources_that_need_a_physical_name_have_one,
        ORDERS,
        lambda t: properties(t, "DeadlineSchedule").pop("Name"),
    ),
    (
        test_every_name_fits,
        ORDERS,
        lambda t: properties(t, "DeadlineSchedule")["Name"]["Fn::Sub"].__setitem__(0, "n" * 28 + "-${Id}"),
    ),
]
