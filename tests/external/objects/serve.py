"""moto's S3, one request at a time.

moto looks whether an object is there and then writes it, without a lock: under load two writers of several get a
create-only object. Real stores do both at once, as this does.
"""

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

run_simple(
    "127.0.0.1",
    0,
    DomainDispatcherApplication(create_backend_app),
    threaded=False,
    request_handler=MotoRequestHandler,
)
