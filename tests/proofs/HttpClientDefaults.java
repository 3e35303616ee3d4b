import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Registers a client and pings an MCP server with the JDK's client as it comes: it asks for h2c. */
class HttpClientDefaults {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        String registration = "{\"client_name\": \"Java\", \"redirect_uris\": [\"http://127.0.0.1:33418/callback\"]}";
        String ping = "{\"jsonrpc\": \"2.0\", \"id\": \"from Java\", \"method\": \"ping\"}";
        for (int round = 0; round < Integer.parseInt(arguments[3]); round++) {
            send(client, request(arguments[0] + "/register").POST(body(registration)).build());
            send(client, request(arguments[1]).header("Authorization", "Bearer " + arguments[2]).POST(body(ping)).build());
        }
    }

    private static HttpRequest.Builder request(String url) {
        return HttpRequest.newBuilder(URI.create(url))
            .header("Content-Type", "application/json")
            .header("Accept", "application/json, text/event-stream");
    }

    private static HttpRequest.BodyPublisher body(String text) {
        return HttpRequest.BodyPublishers.ofString(text);
    }

    private static void send(HttpClient client, HttpRequest request) throws Exception {
        HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
        System.out.println(answer.statusCode() + " " + answer.body().replace("\n", " "));
    }
}
