"""Two Ray nodes on loopback, until standard input is closed: `python -m ...two_nodes SLOTS`."""

from __future__ import annotations

import sys
import tempfile

from ray.cluster_utils import Cluster

from streamer.cluster.ray_cluster import SLOT

STORE_BYTES = 80 << 20  # the least; no picture ever goes through Ray


def main(slots: int) -> None:
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        node = {
            "num_cpus": 0,
            "resources": {SLOT: slots},
            "include_dashboard": False,
            "object_store_memory": STORE_BYTES,
            "node_ip_address": "127.0.0.1",
            "temp_dir": folder,
        }
        cluster = Cluster(initialize_head=True, head_node_args=node)
        cluster.add_node(**node)
        print(f"cluster at {cluster.address}", flush=True)  # noqa: T201  # for the tests
        sys.stdin.read()
        cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
