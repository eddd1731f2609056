from django.test import TestCase

from .models import Order


class OrdersTest(TestCase):
    def test_a_new_order_is_listed(self):
        self.client.post("/", {"article": "a kettle"})
        self.assertContains(self.client.get("/"), "a kettle")
        self.assertFalse(Order.objects.get().shipped)
