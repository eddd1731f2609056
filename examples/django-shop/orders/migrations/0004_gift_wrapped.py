"""Expand: add `gift_wrapped`. Its database default keeps the previous release working."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_no_notes")]
    operations = [migrations.AddField("Order", "gift_wrapped", models.BooleanField(db_default=False))]
