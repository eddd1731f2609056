"""Functional tests: pages and the worker, with a database."""

from django.test import TestCase, tag

from orders.management.commands.work import ship_next
from orders.models import Order

from .factories import OrderFactory


@tag("functional")
class OrdersPageTest(TestCase):
    def test_an_invalid_order_is_not_saved(self):
        page = self.client.post("/", {"article": "x" * 101})
        self.assertContains(page, "at most 100 characters", status_code=400)
        self.assertFalse(Order.objects.exists())

    def test_the_page_lists_the_latest_ten_orders(self):
        first, *latest = OrderFactory.create_batch(11)
        page = self.client.get("/")
        self.assertNotContains(page, f"<li>{first.article}</li>", html=True)
        for order in latest:
            self.assertContains(page, f"<li>{order.article}</li>", html=True)


@tag("functional")
class WorkerTest(TestCase):
    def test_the_worker_ships_each_order_once(self):
        OrderFactory.create_batch(2)
        OrderFactory(shipped=True)
        self.assertEqual([ship_next(), ship_next(), ship_next()], [True, True, False])
        self.assertFalse(Order.objects.filter(shipped=False).exists())
