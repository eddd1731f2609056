from django.db import models


class Order(models.Model):
    """An order, to be shipped by the worker."""

    article = models.CharField(max_length=100)
    comment = models.TextField(db_default="")
    shipped = models.BooleanField(db_default=False)
    gift_wrapped = models.BooleanField(db_default=False)
