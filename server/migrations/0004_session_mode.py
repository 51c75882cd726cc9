"""How a session goes through its source."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("vedette", "0003_find_events")]  # noqa: RUF012  what tortoise writes and declares

    initial = False

    operations = [  # noqa: RUF012
        ops.AddField(
            model_name="SessionRow",
            name="mode",
            field=fields.CharField(default="realtime", db_default="realtime", max_length=16),
        ),
    ]
