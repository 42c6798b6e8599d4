"""`fanout first-deployment`: deploy to an AWS account for the first time with checks between the steps, or remove it.

plan.py reads what is deployed where, checks.py checks the account, deployment.py and removal.py are the two lists of
steps. docs/first-deployment.md describes the same steps; tests/unit/cli/test_first_deployment.py compares them.
"""
