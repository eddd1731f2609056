import factory

from orders.models import Order


class OrderFactory(factory.django.DjangoModelFactory):
    """Creates orders for tests. `OrderFactory()` saves the order, `OrderFactory.build()` does not."""

    class Meta:
        model = Order

    article = factory.Sequence(lambda number: f"kettle {number}")
    shipped = False
    gift_wrapped = False
