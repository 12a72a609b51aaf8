"""What is around the views: top bar, prompt, model, link, help, toasts, and the page's traffic."""
