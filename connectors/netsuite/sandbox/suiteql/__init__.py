"""SuiteQL, a small honest part of it: one table, conditions, grouping, order, parameters, paging."""
