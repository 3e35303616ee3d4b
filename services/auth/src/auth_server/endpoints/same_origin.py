"""Whether a form was sent from a page of ours, as far as the browser tells."""

from fastapi import Request


def is_same_origin(request: Request, issuer: str) -> bool:
    """True unless the browser says that another origin sent this form.

    `Sec-Fetch-Site` decides where it is there: a proxy or an extension that hides referrers turns
    `Origin` into `null`, and that is then no sign of another origin. Browsers that send these
    headers cannot be made to lie in them by another site.
    """
    # Each line counts: a second one must not hide behind the first.
    sites = set(request.headers.getlist("sec-fetch-site"))
    origins = set(request.headers.getlist("origin"))
    if not sites:
        return origins <= {issuer}
    return sites == {"same-origin"} and (origins <= {issuer} or origins == {"null"})
