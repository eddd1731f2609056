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
            with transaction.atomic():
                waiting = Order.objects.filter(shipped=False).select_for_update(skip_locked=True).first()
                if waiting:
                    waiting.shipped = True
                    waiting.save(update_fields=["shipped"])
            if not waiting:
                stop.wait(0.2)
