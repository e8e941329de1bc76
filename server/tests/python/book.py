"""Books a stay knowing an address and nothing else: every message comes from the server's reflection."""

import sys
import time
import uuid

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

DEADLINE = 10


class Yeyak:
    """Calls RPCs by name."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)
        self.token = None

    def call(self, service, name, **fields):
        method = self.pool.FindServiceByName(service).FindMethodByName(name)
        request, answer = (message_factory.GetMessageClass(kind) for kind in (method.input_type, method.output_type))
        stub = self.channel.unary_unary(
            f"/{service}/{name}", request_serializer=request.SerializeToString, response_deserializer=answer.FromString
        )
        metadata = [("authorization", f"Bearer {self.token}")] if self.token else []
        return stub(request(**fields), timeout=DEADLINE, metadata=metadata)


def details_of(error):
    """The ErrorInfo and the BadRequest of a failed call."""
    status = rpc_status.from_call(error)
    assert status is not None, error
    assert status.code == error.code().value[0], status
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        for kind in (info, bad):
            if detail.Is(kind.DESCRIPTOR):
                detail.Unpack(kind)
    return info, bad


def refused(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("was not refused")


def main(address):
    yeyak = Yeyak(address)
    health = health_pb2_grpc.HealthStub(yeyak.channel).Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
    assert health.status == health_pb2.HealthCheckResponse.SERVING, health
    assert "yeyak.booking.v1.BookingService" in yeyak.database.get_services()

    auth, search, bookings = (
        "yeyak.member.v1.AuthService",
        "yeyak.stay.v1.StaySearchService",
        "yeyak.booking.v1.BookingService",
    )

    # An error with its details, before there is a session.
    error = refused(lambda: yeyak.call(auth, "SignUp", email="mina", password="short", display_name=" "))
    info, bad = details_of(error)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
    assert (info.domain, info.reason) == ("yeyak.dev", "INVALID_FIELDS"), info
    assert [violation.field for violation in bad.field_violations] == ["email", "password", "display_name"], bad
    info, _ = details_of(refused(lambda: yeyak.call(bookings, "ListBookings")))
    assert info.reason == "UNAUTHENTICATED", info

    signed_up = yeyak.call(
        auth, "SignUp", email="python@example.kr", password="correct horse battery", display_name="파이썬"
    )
    yeyak.token = signed_up.tokens.access_token

    nights = {
        "check_in_date": {"year": 2026, "month": 4, "day": 10},
        "check_out_date": {"year": 2026, "month": 4, "day": 12},
    }
    for _ in range(100):
        offers = yeyak.call(search, "SearchStays", guests={"adult_count": 2}, **nights).offers
        if offers:
            break
        # The index of searches follows what sellers change.
        time.sleep(0.1)
    offer = offers[0]

    quote = yeyak.call(
        bookings, "QuoteBooking", room_type_id=offer.room_type_id, rate_plan_id=offer.rate_plan_id, adult_count=2, **nights
    )
    assert (quote.total.currency_code, quote.total.minor_units) == ("KRW", 200_000), quote
    booking = yeyak.call(
        bookings,
        "CreateBooking",
        quote_token=quote.token,
        guest={"name": "김민아", "email": "guest@example.kr"},
        expected_total=quote.total,
        request_id=str(uuid.uuid4()),
    )
    assert booking.total == quote.total, booking
    assert yeyak.call(bookings, "GetBooking", id=booking.id).id == booking.id
    again = refused(lambda: yeyak.call(bookings, "QuoteBooking", room_type_id=offer.room_type_id,
                                       rate_plan_id=offer.rate_plan_id, **nights))
    info, _ = details_of(again)
    assert info.domain == "yeyak.dev" and info.reason, info
    print(f"the second quote was refused with {again.code().name}/{info.reason}")
    print("booked")


if __name__ == "__main__":
    main(sys.argv[1])
