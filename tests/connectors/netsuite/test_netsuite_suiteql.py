"""SuiteQL as its users write it: joins, expressions, inner queries, shown names, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest


async def _business(plain: Any, make_invoice: Any) -> None:
    """Book three invoices of two customers in euros and yen, and a payment of the first."""
    await plain.put("/invoice/eid:in_1", make_invoice("100.00", "20.50", memo="First"))
    await plain.put("/invoice/eid:in_2", make_invoice("250.50", tranDate="2026-02-15"))
    await plain.put("/invoice/eid:in_3", make_invoice("1500", customer="cus_2", tranDate="2026-03-05"))
    paid = {
        "customer": {"externalId": "cus_1"},
        "payment": 120.50,
        "tranDate": "2026-02-01",
        "apply": {"items": [{"doc": {"externalId": "in_1"}, "apply": True, "amount": 120.50}]},
    }
    assert (await plain.put("/customerPayment/eid:pay_1", paid)).status == 204


async def rows(plain: Any, query: str, *params: str) -> list[list[str | None]]:
    """Give the rows of a query, each with its columns in the order of the first row that has them all."""
    answer = await plain.query(query, *params)
    assert answer.status == 200, answer.body
    names: dict[str, None] = {}
    for item in answer.body["items"]:
        names.update(dict.fromkeys(name for name in item if name != "links"))
    return [[item.get(name) for name in names] for item in answer.body["items"]]


@pytest.mark.parametrize(
    ("query", "params", "expected"),
    [
        (
            (
                "SELECT t.tranid, c.companyname FROM transaction t JOIN customer c ON c.id = t.entity "
                "WHERE t.type = 'CustInvc' ORDER BY t.id"
            ),
            (),
            [["INV00001", "Acme"], ["INV00002", "Acme"], ["INV00003", "Sakura"]],
        ),
        # Which lines a document has, and what of them went to which account.
        (
            (
                "SELECT t.tranid, a.acctnumber, tal.amount FROM transaction t "
                "INNER JOIN transactionline tl ON tl.transaction = t.id "
                "INNER JOIN transactionaccountingline tal ON tal.transaction = tl.transaction "
                "AND tal.transactionline = tl.id INNER JOIN account a ON a.id = tal.account "
                "WHERE t.id = ? AND tal.amount > 0"
            ),
            ("5001",),
            [["INV00001", "1100", "120.5"]],
        ),
        # Tables that are only listed are joined by WHERE.
        (
            (
                "SELECT e.altname, COUNT(t.id) documents FROM transaction t, entity e "
                "WHERE t.entity = e.id AND t.type = 'CustInvc' GROUP BY e.altname ORDER BY documents DESC"
            ),
            (),
            [["Acme", "2"], ["Sakura", "1"]],
        ),
        (
            (
                "SELECT c.companyname, COUNT(t.id) AS documents FROM customer c "
                "LEFT OUTER JOIN transaction t ON t.entity = c.id AND t.type = 'CustInvc' "
                "GROUP BY c.companyname HAVING COUNT(t.id) < 2 ORDER BY 1"
            ),
            (),
            [["Dune", "0"], ["Sakura", "1"]],
        ),
        (
            (
                "SELECT a.id, b.id AS later FROM transaction a "
                "JOIN transaction b ON b.id > a.id AND b.entity = a.entity "
                "WHERE a.type = 'CustInvc' AND b.type = 'CustInvc'"
            ),
            (),
            [["5001", "5002"]],
        ),
        (
            (
                "SELECT BUILTIN.DF(entity) AS name, BUILTIN.DF(status) AS state, BUILTIN.DF(postingperiod) AS period, "
                "BUILTIN.DF(type) AS kind FROM transaction WHERE id = 5001"
            ),
            (),
            [["Acme", "Invoice : Paid In Full", "Jan 2026", "Invoice"]],
        ),
        (
            (
                "SELECT id, foreigntotal * 2 + 1 AS more, tranid || '/' || memo AS label FROM transaction "
                "WHERE (foreigntotal - 20.5) * 2 = 200 AND type = 'CustInvc'"
            ),
            (),
            [["5001", "242", "INV00001/First"]],
        ),
        (
            (
                "SELECT SUM(CASE WHEN currency = 4 THEN foreigntotal ELSE 0 END) AS euros, "
                "ROUND(AVG(foreigntotal), 2) AS middle, COUNT(DISTINCT entity) AS payers "
                "FROM transaction WHERE type = 'CustInvc'"
            ),
            (),
            [["371", "623.67", "2"]],
        ),
        (
            (
                "SELECT CASE type WHEN 'CustInvc' THEN 'bill' ELSE 'other' END AS kind, COUNT(*) AS documents "
                "FROM transaction GROUP BY CASE type WHEN 'CustInvc' THEN 'bill' ELSE 'other' END ORDER BY kind"
            ),
            (),
            [["bill", "3"], ["other", "1"]],
        ),
        (
            (
                "SELECT companyname FROM customer WHERE id IN (SELECT entity FROM transaction WHERE foreigntotal > ?) "
                "ORDER BY companyname"
            ),
            ("1000",),
            [["Sakura"]],
        ),
        (
            (
                "SELECT big.id FROM (SELECT id, foreigntotal AS total FROM transaction WHERE type = 'CustInvc') big "
                "WHERE big.total > 200 ORDER BY big.total DESC"
            ),
            (),
            [["5003"], ["5002"]],
        ),
        ("SELECT TOP 2 id FROM transaction ORDER BY id DESC", (), [["5004"], ["5003"]]),
        ("SELECT id FROM transaction ORDER BY id OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY", (), [["5002"], ["5003"]]),
        ("SELECT id FROM transaction WHERE ROWNUM <= 1", (), [["5001"]]),
        ("SELECT t.* FROM currency t WHERE t.symbol = 'KWD' -- what a user notes", (), None),
        ("SELECT NVL(memo, 'none') AS memo FROM transaction WHERE id = 5002", (), [["none"]]),
        ("SELECT id FROM transaction WHERE trandate < SYSDATE - 36500", (), []),
        ("SELECT id FROM transaction WHERE trandate - TO_DATE('2026-02-14', 'YYYY-MM-DD') = 1", (), [["5002"]]),
        (
            "SELECT DECODE(type, 'CustPymt', 'paid', 'open') AS x FROM transaction WHERE id > 5002",
            (),
            [["open"], ["paid"]],
        ),
        (
            "SELECT SUBSTR(tranid, -2) AS last, LENGTH(tranid) AS long FROM transaction WHERE id = 5003",
            (),
            [["03", "8"]],
        ),
    ],
)
async def test_what_users_ask(
    plain: Any, make_invoice: Any, query: str, params: tuple[str, ...], expected: list[list[str]] | None
) -> None:
    await _business(plain, make_invoice)
    found = await rows(plain, query, *params)
    assert found == expected if expected is not None else len(found) == 1


async def test_the_impact_of_all_transactions_sums_to_nothing(plain: Any, make_invoice: Any) -> None:
    await _business(plain, make_invoice)
    found = await rows(
        plain,
        "SELECT t.id, SUM(tal.amount) AS rest, SUM(tal.debit) - SUM(tal.credit) AS balance FROM transaction t "
        "JOIN transactionaccountingline tal ON tal.transaction = t.id GROUP BY t.id ORDER BY t.id",
    )
    assert found == [[number, "0", "0"] for number in ("5001", "5002", "5003", "5004")]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT id FROM transaction t JOIN customer c ON c.id = t.entity", "ambiguous"),
        ("SELECT t.id FROM transaction t JOIN transaction t ON t.id = t.id", "aliases"),
        ("SELECT t.id FROM transaction t JOIN customer c ON c.id = l.id JOIN item l ON l.id = t.id", "l.id"),
        ("SELECT transaction.id FROM transaction t", "transaction.id"),
        ("SELECT t.id FROM transaction t RIGHT JOIN customer c ON c.id = t.entity", "RIGHT"),
        ("SELECT t.id FROM transaction t JOIN customer c", "the end"),
        ("SELECT foreigntotal / 0 AS x FROM transaction", "zero"),
        ("SELECT id FROM transaction WHERE id IN (SELECT id, type FROM transaction)", "one column"),
        ("SELECT SUM(foreigntotal) / id FROM transaction", "GROUP BY"),
        ("SELECT BUILTIN.DF(entity), COUNT(*) FROM transaction GROUP BY entity", "GROUP BY"),
        ("SELECT id FROM transaction HAVING id > 1", "groups"),
        ("SELECT ROUND(id, 1, 2) FROM transaction", "arguments"),
        ("SELECT id FROM transaction ORDER BY 2", "order by"),
        ("SELECT id FROM transaction FETCH FIRST x ROWS ONLY", "x"),
        ("SELECT CASE type END FROM transaction", "END"),
        ("SELECT nobody.* FROM transaction", "nobody"),
        ("SELECT id FROM transaction WHERE " + "(" * 60 + "id" + ")" * 60, "the end"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_reason(
    plain: Any, make_invoice: Any, query: str, why: str
) -> None:
    await _business(plain, make_invoice)
    answer = await plain.query(query)
    assert (answer.status, answer.error["o:errorCode"]) == (400, "INVALID_PARAMETER"), answer.body
    assert why in answer.error["detail"]
