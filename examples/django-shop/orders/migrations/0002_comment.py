"""Expand: add `comment`, the successor of `notes`. Its database default keeps the previous release working."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_orders")]
    operations = [migrations.AddField("Order", "comment", models.TextField(db_default=""))]
