"""The custom resources of the edge: what CloudFormation cannot find out, and must not own."""

import json
import logging
from collections.abc import Callable
from typing import Any, Literal

import boto3
import urllib3

from . import dns_record, receipt_rule, sender_identity

logger = logging.getLogger()
logger.setLevel(logging.INFO)

Apply = Callable[[Any, str, dict[str, Any], str], tuple[str, dict[str, str]]]
"""Does what is asked and returns the physical id and the attributes: `(client, request_type, properties, id)`."""

KINDS: dict[str, tuple[Literal["ses", "sesv2", "route53"], Apply]] = {
    "Custom::ReceiptRule": ("ses", receipt_rule.apply),
    "Custom::SenderIdentity": ("sesv2", sender_identity.apply),
    "Custom::DnsRecord": ("route53", dns_record.apply),
}


def handler(event: dict[str, Any], context: Any) -> None:
    """Do what CloudFormation asks and report the outcome to it, a failure too: it waits an hour for an answer."""
    answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    physical_id = event.get("PhysicalResourceId", "none")
    try:
        service, apply = KINDS[event["ResourceType"]]
        physical_id, data = apply(boto3.client(service), event["RequestType"], event["ResourceProperties"], physical_id)
        answer |= {"Status": "SUCCESS", "Data": data}
    except Exception as error:
        logger.exception("%s could not be changed", event["ResourceType"])
        answer |= {"Status": "FAILED", "Reason": f"{error} (log stream {context.log_stream_name})"}
    body = json.dumps(answer | {"PhysicalResourceId": physical_id}).encode()
    urllib3.request("PUT", event["ResponseURL"], body=body, headers={"Content-Type": ""}, timeout=30)
