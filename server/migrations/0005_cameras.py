"""What is to be known of a camera besides its url."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("vedette", "0004_session_mode")]  # noqa: RUF012  what tortoise writes and declares

    initial = False

    operations = [  # noqa: RUF012
        ops.AddField(model_name="SourceRow", name="options", field=fields.JSONField(null=True)),
    ]
