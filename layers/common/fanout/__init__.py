"""The runtime library that every function of the application shares.

Walk it in the order an event does: `publisher` -> (SNS, SQS) -> `subscriber` -> your handler -> `effects`.
Nothing is imported here: a function pays at start-up for the modules it names, and for no others.
"""
