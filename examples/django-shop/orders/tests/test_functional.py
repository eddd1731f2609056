"""Functional tests: pages and the worker, with a database."""

from django.contrib.auth.models import User
from django.test import TestCase, tag
from waffle.models import Flag
from waffle.testutils import override_flag

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
class GiftWrappingTest(TestCase):
    def order(self):
        self.client.post("/", {"article": "a kettle", "gift_wrapped": "on"})
        return Order.objects.get()

    def test_gift_wrapping_is_off_without_its_flag(self):
        self.assertNotContains(self.client.get("/"), "gift-wrapped")
        self.assertFalse(self.order().gift_wrapped)

    @override_flag("gift_wrapping", active=True)
    def test_an_order_is_gift_wrapped_on_request(self):
        self.assertContains(self.client.get("/"), "gift-wrapped")
        self.assertTrue(self.order().gift_wrapped)
        self.assertContains(self.client.get("/"), "<li>a kettle, gift-wrapped</li>", html=True)

    def test_a_flag_for_staff_is_on_after_a_login(self):
        Flag.objects.create(name="gift_wrapping", staff=True)
        self.assertNotContains(self.client.get("/"), "gift-wrapped")
        account = {"username": "ann", "password": "a password of the tests"}
        User.objects.create_user(**account, is_staff=True)
        self.assertContains(self.client.post("/login/", account, follow=True), "gift-wrapped")


@tag("functional")
class WorkerTest(TestCase):
    def test_the_worker_ships_each_order_once(self):
        OrderFactory.create_batch(2)
        OrderFactory(shipped=True)
        self.assertEqual([ship_next(), ship_next(), ship_next()], [True, True, False])
        self.assertFalse(Order.objects.filter(shipped=False).exists())
