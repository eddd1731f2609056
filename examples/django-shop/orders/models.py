from django.db import models


class Order(models.Model):
    """Something that somebody wants; the worker ships it."""

    article = models.CharField(max_length=100)
    comment = models.TextField(db_default="")
    shipped = models.BooleanField(db_default=False)
