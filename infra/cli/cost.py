"""`flow-hitl cost`: what a stack costs, before AWS's bill says so, and which quota stops it first."""

from collections.abc import Sequence

import click

from flow_hitl.deployments.quotas import Quotas
from infra import prices
from infra.cli.output import show, table
from infra.cli.target import CommandTarget, with_target
from infra.cost import BY_API, BY_EMAIL, DAYS, STACK, Item, idle_month, limits, of_reviews, total

_LARGEST = 3
_MILLION = 1_000_000
_REMEDIES = {
    "requests_per_hour": "flow-hitl deployment quota ID --requests-per-hour NUMBER",
    "mails_per_day": "flow-hitl deployment quota ID --mails-per-day NUMBER",
    "ses": "ask AWS for more in the SES console",
}


@click.command()
@click.option("--reviews-per-day", type=click.IntRange(min=0), required=True, help="How many reviews a day.")
@click.option("--by-api", is_flag=True, help="Reviews without emails: answered by page or API.")
@click.option("--ses-per-day", type=click.IntRange(min=1), help="Your account's quota of emails, if you know it.")
@with_target
def cost(target: CommandTarget, reviews_per_day: int, by_api: bool, ses_per_day: int | None) -> None:
    """Estimate a month's bill, and say which quota stops the reviews first.

    The counts are those of the tests; the prices are those of us-east-1, without AWS's free tier. Data transfer and
    long outputs come on top.
    """
    review, quotas = BY_API if by_api else BY_EMAIL, Quotas()
    idle = idle_month(STACK)
    month = of_reviews(review, reviews_per_day * DAYS)
    bound = limits(
        review,
        requests_per_hour=quotas.requests_per_hour,
        mails_per_day=quotas.mails_per_day,
        ses_per_day=ses_per_day,
        remedies=_REMEDIES,
    )
    document = {
        "prices": f"us-east-1, {prices.AS_OF}",
        "idle_month": round(total(idle), 2),
        "month": round(total(idle) + total(month), 2),
        "per_1000_reviews": round(total(of_reviews(review, 1000)), 3),
        "per_million_reviews": round(total(of_reviews(review, _MILLION)), 0),
        "largest": [{"name": one.name, "dollars": round(one.dollars, 2)} for one in _largest([*idle, *month])],
        "limits": [
            {"name": one.name, "reviews_per_day": int(one.reviews_a_day), "remedy": one.remedy} for one in bound
        ],
    }
    kind = "by API" if by_api else "by email"
    lines = [
        table(
            ("what", "dollars"),
            [
                ("a month without reviews", f"{total(idle):,.2f}"),
                (f"a month with {reviews_per_day:,} reviews a day {kind}", f"{total(idle) + total(month):,.2f}"),
                (f"1,000 reviews {kind}", f"{total(of_reviews(review, 1000)):,.2f}"),
                (f"1,000,000 reviews {kind}", f"{total(of_reviews(review, _MILLION)):,.0f}"),
            ],
        ),
        "",
        "The largest of that month: "
        + ", ".join(f"{one.name} {one.dollars:,.2f}" for one in _largest([*idle, *month]))
        + f". Prices: us-east-1, {prices.AS_OF}.",
    ]
    first = bound[0]
    if reviews_per_day > first.reviews_a_day:
        lines += ["", f"WARNING: {first.name} stops them at {first.reviews_a_day:,.0f} reviews a day."]
    else:
        lines += [
            "",
            f"Enough quota for {first.reviews_a_day:,.0f} reviews a day; {first.name} is the first that binds.",
        ]
    show(target, document, "\n".join(lines), first.remedy)


def _largest(items: Sequence[Item]) -> Sequence[Item]:
    return sorted(items, key=lambda one: -one.dollars)[:_LARGEST]
