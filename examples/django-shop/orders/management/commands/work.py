import signal
import threading

from django.core.management.base import BaseCommand
from django.db import transaction

from orders.models import Order


class Command(BaseCommand):
    help = "Ships what was ordered, until it is told to end; what it is at, it ends first."

    def handle(self, **options):
        told = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: told.set())
        while not told.is_set():
            with transaction.atomic():
                waiting = Order.objects.filter(shipped=False).select_for_update(skip_locked=True).first()
                if waiting:
                    waiting.shipped = True
                    waiting.save(update_fields=["shipped"])
            if not waiting:
                told.wait(0.2)
