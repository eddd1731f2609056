import factory

from orders.models import Order


class OrderFactory(factory.django.DjangoModelFactory):
    """Makes orders for tests: `OrderFactory()` is saved, `OrderFactory.build()` is not."""

    class Meta:
        model = Order

    article = factory.Sequence(lambda number: f"kettle {number}")
    shipped = False
    gift_wrapped = False
