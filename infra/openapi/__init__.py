"""The API's description in OpenAPI 3.1: made from the resolvers' routes and the services' documents.

To describe a new route add an `Operation` to the table in `operations.py`, with what it answers as a class of its
capability and an example of it in `examples.py`; then run `make openapi`.
"""
