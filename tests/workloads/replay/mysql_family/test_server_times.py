"""A digest's text, as the server has it, is of the class that the recording's statement is of."""

from __future__ import annotations

import pytest

from otterflow.dbms.mysql_family.statements.classes import normalised
from otterflow.workloads.replay.replayer.mysql_family.server_times import as_statement


@pytest.mark.parametrize(
    ("digest", "text"),
    [
        ("SELECT `n` FROM `stock` WHERE `id` IN (...) AND NAME != ?",
         "SELECT n FROM stock WHERE id IN (1, 2, 3) AND name <> 'x'"),
        ("INSERT INTO `stock` VALUES (...) , ( ?, ... , NOW ( ) , ? )",
         "INSERT INTO stock VALUES (1, 2, NULL, 'a'), (2, -3, NOW(), 'b')"),
        ("UPDATE `stock` SET `n` = `n` - ? , `d` = ? WHERE `id` = ?",
         "UPDATE stock SET n = n - 1, d = NULL WHERE id = 1"),
        ("SELECT * FROM `stock` WHERE `d` > NOW ( ) - INTERVAL ? SQL_TSI_DAY",
         "SELECT * FROM stock WHERE d > NOW() - INTERVAL 1 DAY"),
        ("SELECT `n` FROM `stock` ORDER BY ? DESC LIMIT ?, ...", "SELECT n FROM stock ORDER BY 1 DESC LIMIT 10, 20"),
    ],
)  # fmt: skip
def test_a_digest_is_of_its_statements_class(digest: str, text: str) -> None:
    assert normalised(as_statement(digest)) == normalised(text)
