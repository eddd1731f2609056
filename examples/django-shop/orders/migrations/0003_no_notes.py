"""Contract: nobody uses `notes` any more. It belongs into a deploy of its own, after the code that stopped using it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_comment")]
    operations = [migrations.RemoveField("Order", "notes")]
