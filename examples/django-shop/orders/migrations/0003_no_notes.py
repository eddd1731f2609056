"""Contract: remove `notes`. Deploy this separately, after the release without uses of `notes`."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_comment")]
    operations = [migrations.RemoveField("Order", "notes")]
