"""The Lambda functions: parse, call, log, return."""
