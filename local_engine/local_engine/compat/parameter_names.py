"""A parameter of Systems Manager that its template gives no name gets a path instead of a plain name.

Symptom: a role that may read `arn:...:parameter/${Words}` may not: the ARN has two slashes, `parameter//stack/Words`.
Cause: `provisioners._ssm_create` names it `/<stack>/<logical id>`. On AWS it is `CFN-<logical id>-<random>`, and an ARN
made of it is right: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ssm-parameter.html
Patch: the name has AWS's form.
It can go when upstream's provisioner gives such names.
"""

import secrets

from ministack.services.cloudformation import provisioners

from local_engine.compat._provisioners import Properties

_TYPE = "AWS::SSM::Parameter"


def apply() -> None:
    """Name parameters as AWS does."""
    handler = provisioners._RESOURCE_HANDLERS[_TYPE]
    create = handler["create"]

    def created(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
        named = {"Name": f"CFN-{logical_id}-{secrets.token_hex(6)}", **properties}
        result: tuple[str, Properties] = create(logical_id, named, stack)
        return result

    handler["create"] = created
