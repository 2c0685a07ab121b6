"""byteprop in Flower (`flwr`, the extra `fleet`): a strategy whose mean is in integers, and a
client app. See docs/federated.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg

from byteprop.federated import MakeTrainer, arrays_of, average, set_arrays, train_client
from byteprop.model import Model

__all__ = ["IntegerAveraging", "client_app", "record_of"]

Client = tuple[Model, Any, Any]


def record_of(model: Model) -> ArrayRecord:
    """A model's weights as Flower sends them: what `Strategy.start` begins with."""
    return ArrayRecord.from_numpy_ndarrays(arrays_of(model))


class IntegerAveraging(FedAvg):  # type: ignore[misc]
    """Flower's FedAvg with the mean of `byteprop.federated.average`: the same bits in any order of
    the replies."""

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        valid, _ = self._check_and_log_replies(replies, is_train=True)
        if not valid:
            return None, None
        contents = [message.content for message in valid]
        mean = average(
            (
                content[self.arrayrecord_key].to_numpy_ndarrays(),
                int(content["metrics"][self.weighted_by_key]),
            )
            for content in contents
        )
        metrics = self.train_metrics_aggr_fn(contents, self.weighted_by_key)
        return ArrayRecord.from_numpy_ndarrays(mean), metrics


def client_app(
    client: Callable[[Context], Client],
    *,
    make_trainer: Callable[[Context], MakeTrainer] = lambda context: lambda host: host,
    **options: Any,
) -> ClientApp:
    """client: of a node, its model and its samples x, y, which it does not give away. options: of
    Model.fit; a round is one training with them, whose seed is that of the round. make_trainer: as
    in `train_client`, for a node that trains on its board."""
    app = ClientApp()

    @app.train()  # type: ignore[untyped-decorator]
    def train(message: Message, context: Context) -> Message:
        model, x, y = client(context)
        set_arrays(model, message.content["arrays"].to_numpy_ndarrays())
        seed = int(message.content["config"]["server-round"])
        n = train_client(model, x, y, seed=seed, make_trainer=make_trainer(context), **options)
        metrics = MetricRecord({"num-examples": n})
        content = RecordDict({"arrays": record_of(model), "metrics": metrics})
        return Message(content=content, reply_to=message)

    return app
