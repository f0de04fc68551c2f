"""SuiteQL, an honest part of it: tables and joins, conditions, expressions, grouping, order, parameters, paging."""
