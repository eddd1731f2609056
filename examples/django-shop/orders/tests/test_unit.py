"""Unit tests: without a database."""

import signal
from unittest import mock

from django.core.management import call_command
from django.template.loader import render_to_string
from django.test import SimpleTestCase, tag

from orders.forms import OrderForm

from .factories import OrderFactory


@tag("unit")
class OrderFormTest(SimpleTestCase):
    def test_an_order_needs_an_article(self):
        self.assertTrue(OrderForm({"article": "a kettle"}).is_valid())
        self.assertIn("article", OrderForm({"article": " "}).errors)

    def test_a_name_of_more_than_100_characters_is_refused(self):
        self.assertTrue(OrderForm({"article": "x" * 100}).is_valid())
        self.assertIn("article", OrderForm({"article": "x" * 101}).errors)


@tag("unit")
class ListTest(SimpleTestCase):
    def test_only_a_shipped_order_is_on_its_way(self):
        orders = [OrderFactory.build(article="a kettle"), OrderFactory.build(article="a pan", shipped=True)]
        page = render_to_string("orders/list.html", {"orders": orders})
        self.assertInHTML("<ul><li>a kettle</li><li>a pan, on its way</li></ul>", page)

    def test_a_gift_wrapped_order_is_marked(self):
        orders = [OrderFactory.build(article="a kettle", gift_wrapped=True)]
        page = render_to_string("orders/list.html", {"orders": orders})
        self.assertInHTML("<li>a kettle, gift-wrapped</li>", page)

    def test_the_name_of_an_article_is_escaped(self):
        page = render_to_string("orders/list.html", {"orders": [OrderFactory.build(article="<script>")]})
        self.assertIn("&lt;script&gt;", page)


@tag("unit")
class WorkerTest(SimpleTestCase):
    def test_sigterm_ends_the_worker_after_the_current_order(self):
        self.addCleanup(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        shipped = []

        def ship_next():
            signal.raise_signal(signal.SIGTERM)
            shipped.append("a kettle")
            return True

        with mock.patch("orders.management.commands.work.ship_next", ship_next):
            call_command("work")
        self.assertEqual(shipped, ["a kettle"])
