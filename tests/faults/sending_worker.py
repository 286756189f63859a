"""Workers that send until nothing is due, each in a process that may be killed. Reads "go" lines, answers pids.

A failpoint may follow: "go send_claimed:kill".

Django is loaded once; every "go" forks a worker from that clean state (no thread, no connection yet).
"""

from __future__ import annotations

import asyncio
import os
import sys

import django


async def work() -> None:
    from postroom.outbox import sending
    from postroom.outbox.models import State, Submission
    from postroom.workspaces.database import in_thread, now

    def due() -> list[object]:
        queued = Submission.objects.filter(state=State.QUEUED, send_at__lte=now()).order_by("pk")
        return list(queued.values_list("pk", flat=True))

    while ids := await in_thread(due):
        for submission_id in ids:
            await sending.send(submission_id)  # type: ignore[arg-type]


def answer(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def main() -> None:
    django.setup()
    import postroom.outbox.sending  # noqa: F401
    from postroom.engine import failpoints

    answer("ready")
    for line in sys.stdin:
        if line.strip() == "wait":
            _, status = os.wait()
            answer(str(status))
        elif (pid := os.fork()) == 0:
            try:
                failpoints.arm(line.partition(" ")[2].strip())
                asyncio.run(work())
            finally:
                os._exit(0)
        else:
            answer(str(pid))


if __name__ == "__main__":
    main()
