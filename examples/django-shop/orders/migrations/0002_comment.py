"""Expand: `comment` is to take the place of `notes`. The code of before goes on, since the database fills it in."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_orders")]
    operations = [migrations.AddField("Order", "comment", models.TextField(db_default=""))]
