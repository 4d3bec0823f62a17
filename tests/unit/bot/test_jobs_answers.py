"""The embedded storage refuses a Procrastinate that it does not know."""

from __future__ import annotations

import pytest

from bot.jobs_queries import QUERIES
from bot.jobs_sqlite import check_answers


def test_every_query_of_the_installed_procrastinate_is_answered() -> None:
    check_answers()


def test_unknown_query_is_refused() -> None:
    with pytest.raises(RuntimeError, match="'steal_job', which"):
        check_answers({**QUERIES, "steal_job": "SELECT procrastinate_steal_job_v1(%(job_id)s)"})


def test_query_with_another_parameter_is_refused() -> None:
    with pytest.raises(RuntimeError, match="'unregister_worker' with"):
        check_answers({**QUERIES, "unregister_worker": "SELECT unregister(%(worker_id)s, %(reason)s)"})


@pytest.mark.parametrize("version", ["3.9.2", "3.11.0", "4.0.0", "3.100.0"])
def test_other_version_is_refused(version: str) -> None:
    with pytest.raises(RuntimeError, match=version):
        check_answers(version=version)
