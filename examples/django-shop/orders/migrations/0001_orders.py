from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            "Order",
            [
                ("id", models.BigAutoField(primary_key=True, auto_created=True, serialize=False, verbose_name="ID")),
                ("article", models.CharField(max_length=100)),
                ("notes", models.TextField(db_default="")),
                ("shipped", models.BooleanField(db_default=False)),
            ],
        ),
    ]
