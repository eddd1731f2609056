import signal
import threading

from django.core.management.base import BaseCommand
from django.db import transaction

from orders.models import Order


class Command(BaseCommand):
    help = "Ships orders until SIGTERM. Finishes the current order first."

    def handle(self, **options):
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        while not stop.is_set():
            if not ship_next():
                stop.wait(0.2)


def ship_next():
    """Ships an order. Returns `False` if all orders are shipped."""
    with transaction.atomic():
        order = Order.objects.filter(shipped=False).select_for_update(skip_locked=True).first()
        if order:
            order.shipped = True
            order.save(update_fields=["shipped"])
    return order is not None
