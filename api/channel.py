"""What gRPC is told of the way to Triton: of several behind one name, a lost one costs no request.

Retries: gRFC A6; outlier detection: gRFC A50 (https://github.com/grpc/proposal).
"""

import json

_BALANCING = [
    {
        # A replica that fails nearly all it gets (its GPU is lost, say) is left alone for a while,
        # never more than half of them: every status but OK counts, also a client's bad input.
        # The calls that one loses when it is killed are too few. (gRPC 1.85's name has the suffix.)
        "outlier_detection_experimental": {
            "interval": "5s",
            "baseEjectionTime": "5s",
            "maxEjectionTime": "60s",
            "maxEjectionPercent": 50,
            "failurePercentageEjection": {
                "threshold": 80,
                "enforcementPercentage": 100,
                "minimumHosts": 2,
                "requestVolume": 20,
            },
            "childPolicy": [{"round_robin": {}}],
        }
    },
    {"round_robin": {}},  # for a gRPC that does not know the first
]

# An answer changes nothing in Triton, so a call may be sent again. All attempts of one share its
# deadline. Triton sends the head of an answer with the answer: one that dies before is retried.
_RETRIES = {
    "maxAttempts": 4,
    "initialBackoff": "0.02s",
    "maxBackoff": "0.5s",
    "backoffMultiplier": 4,
    "retryableStatusCodes": ["UNAVAILABLE"],
}

# Every failed attempt takes a token, ten answers give one back; below half there are no retries.
# So a replica lost with 500 calls under way costs none, and no outage is made worse.
_BUDGET = {"maxTokens": 1000, "tokenRatio": 0.1}

SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": _BALANCING,
        "methodConfig": [
            {
                # Not ModelConfig: that a version is unknown any more is an answer (api/triton.py).
                "name": [
                    {"service": "inference.GRPCInferenceService", "method": method}
                    for method in ("ModelInfer", "ModelReady")
                ],
                "retryPolicy": _RETRIES,
            }
        ],
        "retryThrottling": _BUDGET,
    }
)

CHANNEL_OPTIONS: list[tuple[str, int | str]] = [
    ("grpc.max_send_message_length", -1),  # the HTTP side has limited it already
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),  # Triton is a neighbour, not something out on the web
    ("grpc.service_config", SERVICE_CONFIG),
    # Of a call that is larger (a recording, by gRPC's default of 256 KiB) nothing is retried.
    ("grpc.per_rpc_retry_buffer_size", 2**30),
    # A Triton that was restarted is found again within a second (gRPC's default: two minutes),
    # and its name is looked up as often then (gRPC's default: 30 s).
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
    # A machine that is gone says nothing: while calls wait, it is asked for a sign of life, and
    # has ten seconds for it. (gRPC 1.85 heeds the last of these two times, which is 60 s by
    # default; earlier ones the first.)
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
]
