"""Functional tests that also run on a host, without `requirements-dev.txt`: `fab staging test`."""

from django.test import TestCase, tag

from orders.models import Order


@tag("functional")
class HostTest(TestCase):
    def test_a_new_order_is_listed(self):
        self.assertRedirects(self.client.post("/", {"article": "a kettle"}), "/")
        self.assertContains(self.client.get("/"), "a kettle")
        self.assertFalse(Order.objects.get().shipped)

    def test_the_health_page_reads_the_database(self):
        self.assertContains(self.client.get("/health/"), "ok ")
